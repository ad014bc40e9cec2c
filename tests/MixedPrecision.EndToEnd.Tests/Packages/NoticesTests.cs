using System.Xml.Linq;

namespace MixedPrecision.EndToEnd.Tests.Packages;

/// <summary>The notices of third parties, against what makes them. With the variable below the file is written instead.</summary>
public sealed class NoticesTests
{
    private const string Write = "MIXED_PRECISION_WRITE_NOTICES";

    private static readonly string Page = Repository.Path("build/THIRD-PARTY-NOTICES.txt");

    [Fact]
    public void The_file_is_what_the_table_and_the_tools_dependencies_make()
    {
        if (Environment.GetEnvironmentVariable(Write) == "1")
        {
            File.WriteAllText(Page, Notices.Text());
        }

        Assert.True(Notices.Text() == File.ReadAllText(Page).ReplaceLineEndings("\n"), $"Run this test with {Write}=1 to write the file.");
    }

    [Fact]
    public void Licenses_are_those_that_the_packages_state()
    {
        Component[] whole = [.. Notices.Components.Where(component => component.Name == component.Package)];
        Assert.NotEmpty(whole);
        foreach (Component component in whole)
        {
            string id = component.Package.ToLowerInvariant();
            XElement license = XElement.Load(Path.Combine(Notices.PackagesFolder, id, Notices.VersionOf(component.Package), id + ".nuspec")).Descendants().Single(element => element.Name.LocalName == "license");
            string stated = license.Attribute("type")?.Value == "expression" ? license.Value : File.ReadLines(Path.Combine(Notices.PackagesFolder, id, Notices.VersionOf(component.Package), license.Value)).First().Split(' ')[0];
            Assert.Equal(component.License, stated);
        }
    }
}
