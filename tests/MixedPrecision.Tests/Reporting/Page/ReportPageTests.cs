using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using MixedPrecision.Execution;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Reporting.Page;

namespace MixedPrecision.Tests.Reporting.Page;

public class ReportPageTests
{
    private const string Hostile = "</script></style><img src=x onerror=alert(1)>\"'&lt;\u001b\u202e]]>";

    private static readonly string[] Elements =
    [
        "b", "bdi", "body", "caption", "circle", "code", "dd", "details", "div", "dl", "dt", "g", "h1", "h2", "h3", "head", "header", "html", "li", "line", "main", "meta", "ol", "p", "path", "pre",
        "rect", "script", "section", "span", "style", "summary", "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr", "ul",
    ];

    /// <summary>Every text and every name that a manifest can have from outside, put to the worst.</summary>
    [Fact]
    public void WhatTheManifestSaysStaysText()
    {
        JsonNode manifest = JsonNode.Parse(Examples.Manifest.ToJson())!;
        Spoil(manifest);
        string page = ReportPage.Write(ManifestFile.Parse(manifest.ToJsonString()));
        XElement tree = PageText.Tree(page);
        Assert.All(tree.DescendantsAndSelf(), e => Assert.Contains(e.Name.LocalName, Elements));
        Assert.All(tree.Descendants().Attributes(), a => Assert.False(a.Name.LocalName.StartsWith("on", StringComparison.Ordinal) || a.Name.LocalName is "src" or "href" or "style", a.ToString()));
        Assert.Single(tree.All("script"));
        Assert.Single(tree.All("style"));
        // Also to a browser, which ends a script at the first end tag: before it nothing of the manifest stands in one.
        Assert.Equal(1, page.Split("</script").Length - 1);
        Assert.Equal(1, page.Split("</style").Length - 1);
        Assert.DoesNotContain('\u001b', page);
        Assert.Contains(tree.ById("layers").Descendants("bdi"), e => e.Value == Hostile.Replace("\u001b", "\\u001b", StringComparison.Ordinal));
    }

    [Fact]
    public void ItIsAFunctionOfTheManifestAlone()
    {
        string page = ReportPage.Write(Examples.Manifest);
        Assert.Equal(page, ReportPage.Write(Examples.Manifest));
        Assert.Equal(page, ReportPage.Write(ManifestFile.Parse(Examples.Manifest.ToJson())));
        Assert.DoesNotContain('\r', page);
    }

    [Fact]
    public void ItLoadsNothingAndTellsTheBrowserSo()
    {
        string page = ReportPage.Write(Examples.Manifest);
        Assert.All(["http:", "https:", "//www", "url(", "@import", "src=", "href=", "fetch(", "XMLHttpRequest", "import("], forbidden => Assert.DoesNotContain(forbidden, page, StringComparison.OrdinalIgnoreCase));
        XElement tree = PageText.Tree(page);
        string policy = (string)tree.All("meta").Single(m => (string?)m.Attribute("http-equiv") == "Content-Security-Policy").Attribute("content")!;
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        foreach ((string name, string directive) in new[] { ("script", "script-src"), ("style", "style-src") })
        {
            string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(tree.All(name).Single().Value)));
            Assert.Contains($"{directive} 'sha256-{hash}'", policy, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("frontier")]
    [InlineData("tried")]
    [InlineData("advice")]
    [InlineData("reasons")]
    [InlineData("strategies")]
    [InlineData("attempts")]
    [InlineData("compared")]
    [InlineData("excluded")]
    [InlineData("warnings")]
    [InlineData("policy")]
    [InlineData("solver")]
    [InlineData("loss")]
    [InlineData("frontier tried advice reasons strategies attempts compared excluded warnings policy solver loss")]
    public void AManifestOfBeforeOpens(string missing)
    {
        JsonObject manifest = JsonNode.Parse(Examples.Manifest.ToJson())!.AsObject();
        foreach (string property in missing.Split(' '))
        {
            Assert.True(manifest.Remove(property));
        }

        foreach (JsonNode? subgraph in manifest["subgraphs"]!.AsArray())
        {
            subgraph!.AsObject().Remove("structure");
        }

        Assert.True(manifest["predicted"]!.AsObject().Remove("interval"));

        XElement tree = PageText.Tree(ManifestFile.Parse(manifest.ToJsonString()));
        Assert.Equal(2, tree.ById("layers").Descendants("tbody").First().Elements().Count());
        Assert.Contains("1.58×", tree.All("header").Single().Value, StringComparison.Ordinal);
        if (missing == "frontier")
        {
            Assert.Contains("holds no frontier", tree.ById("frontier").Value, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void TheOriginalHasAPageToo()
    {
        Manifest original = Examples.Manifest with
        {
            Shipped = new ShippedModel("original", "no layer has a format to choose"),
            Loss = null,
            Samples = new SampleCounts(0, 0),
            Predicted = new Prediction(0, 0, [0, 0], new ReportedGain(0, [0, 0], "milliseconds")),
            Measured = Measurement.Of(null, []),
            Solver = null,
            Strategies = [],
            Attempts = [],
            Compared = [],
            Advice = [],
            Frontier = null,
            Tried = null,
            Subgraphs = [],
        };
        XElement tree = PageText.Tree(original);
        Assert.StartsWith("model.onnx ships as it was: no layer has a format to choose.", tree.All("p").Single(p => (string?)p.Attribute("class") == "lead").Value, StringComparison.Ordinal);
        Assert.DoesNotContain(tree.Descendants(), e => (string?)e.Attribute("id") is "frontier" or "layers" or "prediction" or "timings" or "attempts" or "strategies");
    }

    /// <summary>Drawings need a script to be explored; the same numbers stand in tables, and nothing is hidden until a script comes.</summary>
    [Fact]
    public void WithoutScriptsEverythingCanBeRead()
    {
        string page = ReportPage.Write(Examples.Manifest);
        XElement tree = PageText.Tree(page);
        Assert.All(Examples.Frontier, p => Assert.Contains(tree.ById("frontier").Descendants("tbody").Elements(), r => r.Elements().First().Value == $"{p.Tau * 100:0.###} %"));
        Assert.Equal(["/encoder/query", Examples.HostileName.Replace("\u001b", "\\u001b", StringComparison.Ordinal).Replace("\n", "\\u000a", StringComparison.Ordinal)],
            tree.ById("layers").Descendants("tbody").First().Elements().Select(r => r.Elements().First().Element("bdi")!.Value));
        Assert.DoesNotContain("display: none", page, StringComparison.Ordinal);
        Assert.DoesNotContain("visibility: hidden", page, StringComparison.Ordinal);
        Assert.DoesNotContain(tree.Descendants().Attributes(), a => a.Name.LocalName == "hidden");
    }

    [Fact]
    public void ItCanBeReadByProgramsThatReadAloud()
    {
        XElement tree = PageText.Tree(Examples.Manifest);
        Assert.Equal("en", (string?)tree.Attribute("lang"));
        Assert.Single(tree.All("h1"));
        int[] levels = [.. tree.Descendants().Where(e => e.Name.LocalName is "h1" or "h2" or "h3").Select(e => e.Name.LocalName[1] - '0')];
        Assert.All(levels.Zip(levels.Skip(1)), pair => Assert.True(pair.Second <= pair.First + 1));
        Assert.Distinct(tree.Descendants().Attributes("id").Select(a => a.Value));
        Assert.All(tree.Descendants().Attributes("aria-labelledby"), a => tree.ById(a.Value));
        Assert.All(tree.Descendants().Attributes("data-points"), a => tree.ById(a.Value));
        Assert.All(tree.All("table"), table =>
        {
            Assert.NotEmpty(table.Element("caption")!.Value);
            Assert.All(table.Descendants("th"), th => Assert.Equal(th.Ancestors("thead").Any() ? "col" : "row", (string?)th.Attribute("scope")));
            int columns = table.Element("thead")!.Descendants("th").Count();
            Assert.All(table.Element("tbody")!.Elements("tr"), row => Assert.Equal(columns, row.Elements().Count()));
        });
        Assert.All(tree.All("svg"), svg => Assert.True((string?)svg.Attribute("aria-hidden") == "true" || ((string?)svg.Attribute("role") == "group" && svg.Attribute("aria-label") is not null)));
        XElement[] points = [.. tree.Descendants().Where(e => e.Attribute("data-point") is not null)];
        Assert.All(points, p => Assert.Equal((string?)p.Attribute("aria-label"), p.Element("title")!.Value));
        Assert.All(tree.All("svg").Where(s => s.Attribute("data-points") is not null), s => Assert.Single(s.Descendants("g"), g => (string?)g.Attribute("tabindex") == "0"));
    }

    [Theory]
    [InlineData(0.01, "0.8 %")]
    [InlineData(0.007, "0 %")]
    [InlineData(0.05, "3 %")]
    public void TheChosenPointIsTheLastThatTheBudgetBuys(double solved, string chosen)
    {
        XElement frontier = PageText.Tree(Examples.Manifest with { Budget = Examples.Manifest.Budget with { SolvedTau = solved }, Solver = Examples.Manifest.Solver! with { Objective = 4.5 } }).ById("frontier");
        Assert.Equal(chosen, frontier.Descendants("tr").Single(r => (string?)r.Attribute("class") == "chosen").Elements().First().Value);
        Assert.StartsWith("This plan: ", Assert.Single(frontier.Descendants("g"), g => (string?)g.Attribute("class") == "plan").Element("title")!.Value, StringComparison.Ordinal);
    }

    /// <summary>A plan that keeps the budget at the upper end of its interval gains less than what the budget buys without.</summary>
    [Fact]
    public void ThePlanIsNoPointThatGainsMore()
    {
        XElement frontier = PageText.Tree(Examples.Manifest with { Budget = Examples.Manifest.Budget with { SolvedTau = 0.05 }, Solver = Examples.Manifest.Solver! with { Objective = 3.25 } }).ById("frontier");
        Assert.Equal("0.8 %", frontier.Descendants("tr").Single(r => (string?)r.Attribute("class") == "chosen").Elements().First().Value);
    }

    [Fact]
    public void EveryLimitOfABudgetStandsBesideWhatWasMeasuredOfIt()
    {
        ManifestLimit[] limits =
        [
            new("lossError", "lossError: 1%", 0.01, 0.0073, true, 0.0081), new("accuracyDrop", "accuracyDrop: 0.5%", 0.005, -0.0005, true), new("agreement", "agreement: 99%", 0.99, 0.9925, true), new("size", "size: 10 MB", 1e7, 9e6, true),
        ];
        ManifestBudget budget = Examples.Manifest.Budget with { Text = "lossError: 1%, accuracyDrop: 0.5%, agreement: 99%, size: 10 MB", Allowed = 0.01, Measured = 0.0073, Limits = limits };
        XElement tree = PageText.Tree(Examples.Manifest with { Budget = budget });
        Assert.Equal(
            [
                "Loss error|0.73 %|at most 1 %|0.81 %||kept", "Drop of accuracy|-0.05 %|at most 0.5 %|–||kept", "Share of equal answers|99.25 %|at least 99 %|–||kept", "Size|9.00 MB|at most 10.00 MB|–||kept",
            ],
            tree.ById("budget").Descendants("tbody").Single().Elements().Select(r => string.Join('|', r.Elements().Select(c => c.Value))));
        Assert.Equal(["73", "0", "75", "90"], tree.ById("budget").Descendants("rect").Where(r => (string?)r.Attribute("class") == "used").Select(r => (string?)r.Attribute("width")));
        string head = tree.All("header").Single().Value;
        Assert.Contains("its loss error is 0.73\u00a0% of the 1\u00a0% allowed", head, StringComparison.Ordinal);
        Assert.Contains("; all 4 limits of the budget are kept.", head, StringComparison.Ordinal);
        Assert.All(["Loss error0.73 %of 1 % allowed", "Drop of accuracy-0.05 %of 0.5 % allowed", "Share of equal answers99.25 %of 99 % asked for", "Size9.00 MBof 10.00 MB allowed, from 13.60 MB"], f => Assert.Contains(f, head, StringComparison.Ordinal));

        XElement over = PageText.Tree(Examples.Manifest with { Budget = budget with { Limits = [.. limits[..3], limits[3] with { Measured = 1.1e7, IsWithin = false }] } });
        Assert.Equal("not kept", over.ById("budget").Descendants("tbody").Single().Elements().Last().Elements().Last().Value);
        Assert.Contains("; not within its limit: size.", over.All("header").Single().Value, StringComparison.Ordinal);
        Assert.DoesNotContain(PageText.Tree(Examples.Manifest).Descendants(), e => (string?)e.Attribute("id") == "budget");
    }

    /// <summary>Where times are another machine's, no run was timed: nothing looks as if it were.</summary>
    [Fact]
    public void WithAProfileNoSpeedUpIsTold()
    {
        Manifest profiled = Examples.Manifest with
        {
            Profile = new ManifestProfile("phone.profile.json", new string('c', 64), Examples.Machine with { Processor = "Far CPU" }, 482, 3),
            Measured = Measurement.Of(Examples.Loss, []),
            Compared = [Examples.Compared[0] with { MeasuredGain = null }],
        };
        XElement tree = PageText.Tree(profiled);
        string head = tree.All("header").Single().Value;
        Assert.Contains("is predicted to save 3.5 ms a run on Far CPU (end-to-end time was not measured)", head, StringComparison.Ordinal);
        Assert.Contains("Predicted to save3.5 msa run on Far CPU; end-to-end time was not measured", head, StringComparison.Ordinal);
        Assert.DoesNotContain("×", head, StringComparison.Ordinal);
        Assert.StartsWith("End-to-end time was not measured on this machine. Sub-graphs were timed on Far CPU", tree.ById("timings").Elements("p").First().Value, StringComparison.Ordinal);
        Assert.Contains("Gain of a run3.5 ms [3.25, 3.75]not measured–", tree.ById("prediction").Value, StringComparison.Ordinal);
        Assert.Contains(profiled.ToLines(), l => l.StartsWith("times: those of Far CPU", StringComparison.Ordinal) && l.Contains("end-to-end time was not measured", StringComparison.Ordinal));
        Assert.Contains("1.58×", PageText.Tree(Examples.Manifest).All("header").Single().Value, StringComparison.Ordinal);
        Assert.DoesNotContain("not measured", PageText.Tree(Examples.Manifest).Value, StringComparison.Ordinal);
    }

    /// <summary>Hundreds of layers are drawn in rows that fit beside each other on a screen, in order, each sub-graph in one row.</summary>
    [Theory]
    [InlineData(60, 3, 1)]
    [InlineData(600, 3, 3)]
    [InlineData(600, 1, 4)]
    [InlineData(600, 600, 3)]
    public void ManyLayersAreDrawnInRows(int layers, int together, int rows)
    {
        PlannedSubgraph[] subgraphs =
        [
            .. Enumerable.Range(0, layers).Chunk(together).Select((own, index) => new PlannedSubgraph(index, "0123456789abcdef", "exported", new ReportedGain(1, [1, 1], "milliseconds"),
                [.. own.Select(i => Examples.Plan[0].Layers[0] with { Name = $"/layers.{i}/{Hostile}" })])),
        ];
        XElement strip = PageText.Tree(Examples.Manifest with { Subgraphs = subgraphs }).Descendants("svg").Single(s => (string?)s.Attribute("data-points") == "layer-readout");
        double total = (double)strip.Attribute("width")!, height = (double)strip.Attribute("height")!;
        Assert.InRange(total, 100, 944);
        (double X, double Y)[] places = [.. strip.Elements("g").Select(g => g.Elements("rect").First()).Select(r => ((double)r.Attribute("x")!, (double)r.Attribute("y")!))];
        Assert.Equal(layers, places.Length);
        Assert.Equal(rows, places.Select(p => p.Y).Distinct().Count());
        Assert.All(places.Zip(places.Skip(1)), pair => Assert.True(pair.Second.Y > pair.First.Y || (pair.Second.Y == pair.First.Y && pair.Second.X > pair.First.X)));
        Assert.All(together > 3 ? [] : places.Chunk(together), own => Assert.Single(own.Select(p => p.Y).Distinct()));
        Assert.All(strip.Descendants("rect"), r => Assert.True((double)r.Attribute("x")! + (double)r.Attribute("width")! <= total && (double)r.Attribute("y")! + (double)r.Attribute("height")! <= height + 0.01));
    }

    [Fact]
    public void EveryFamilyOfFormatsHasALook()
    {
        Assert.All(FormatFamilies.All, f => Assert.NotEqual("f-other", FormatLook.Of(f.Name).Class));
        Assert.Equal([32, 16, 16, 8, 4, 8, 32], new[] { "fp32", "fp16", "bf16", "int8-dynamic(full,gptq)", "int4-weight(block=32)", "fp8-e4m3", "unheard-of" }.Select(f => FormatLook.Of(f).Bits));
    }

    private static void Spoil(JsonNode node)
    {
        if (node is JsonObject properties)
        {
            foreach ((string name, JsonNode? value) in properties.ToArray())
            {
                if (name is "set" or "options")
                {
                    // Statements that set options: what can be from outside is a name in them.
                    properties[name] = new JsonArray(JsonValue.Create(SessionOption.FreeDimension(Hostile, 8).ToCode()));
                }
                else if (name is "sensitivity" or "notApplicable" or "inputs" or "formats" && value is JsonObject own && own.Count > 0)
                {
                    properties[name] = new JsonObject { [Hostile] = own.First().Value!.DeepClone() };
                    Spoil(properties[name]!);
                }
                else if (value is JsonValue text && text.TryGetValue(out string? _))
                {
                    properties[name] = Hostile;
                }
                else
                {
                    Spoil(value!);
                }
            }
        }
        else if (node is JsonArray items)
        {
            for (int i = 0; i < items.Count; i++)
            {
                if (items[i] is JsonValue text && text.TryGetValue(out string? _))
                {
                    items[i] = Hostile;
                }
                else
                {
                    Spoil(items[i]!);
                }
            }
        }
    }
}
