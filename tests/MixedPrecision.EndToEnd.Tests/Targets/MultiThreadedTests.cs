namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>MSBuild that builds projects on threads of one process (<c>-mt</c>), which have one current directory and one environment.</summary>
public sealed class MultiThreadedTests
{
    [Fact]
    public void Two_apps_at_once_get_the_models_of_their_own_policies()
    {
        using var app = new PackagedApp();
        foreach (string name in new[] { "First", "Second" })
        {
            app.WritePolicy($"{name}/model.policy.yaml", $"of {name}\nwait: 500\n");
            app.WriteProject($"{name}/{name}.csproj");
        }

        app.Write("All.proj", """
            <Project>
              <Target Name="Publish">
                <MSBuild Projects="First/First.csproj;Second/Second.csproj" Targets="Restore" Properties="Restoring=true" BuildInParallel="false" />
                <MSBuild Projects="First/First.csproj;Second/Second.csproj" Targets="Publish" Properties="Configuration=Release" BuildInParallel="true" />
              </Target>
            </Project>
            """);
        app.Succeed("msbuild", "All.proj", "-t:Publish", "-mt", "-m:2");
        Assert.All(["First", "Second"], name =>
        {
            Assert.Equal(1, app.Runs(name));
            Assert.Contains($"of {name}\n", app.Read($"{name}/bin/Release/net10.0/publish/model.mixed.onnx"), StringComparison.Ordinal);
        });
    }
}
