namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>A policy that the project names no longer.</summary>
public sealed class PolicyRemovedTests
{
    [Fact]
    public void What_it_emitted_is_published_no_longer_and_clean_removes_it_from_obj()
    {
        using var app = new PackagedApp();
        app.WritePolicy();
        app.WriteProject();
        app.Publish();
        Assert.NotEmpty(app.Published("model.mixed"));

        app.WriteProject(properties: "");
        ProcessRun without = app.Publish();
        Assert.Empty(app.Published("model.mixed"));
        Assert.Equal(1, app.Runs());
        Assert.DoesNotContain("model.mixed", without.Output, StringComparison.Ordinal);

        app.Succeed("clean");
        Assert.Empty(Directory.GetDirectories(app["obj"], "mixed-precision", SearchOption.AllDirectories));
    }
}
